OPTIONS = {"keystoneauth1": ""}
