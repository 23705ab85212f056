"""MSAL for Python as a program would use it. It reads one job, JSON, from stdin
and writes one line of JSON: the status of a request with the token that it got,
or what it was refused."""

import json
import sys

import msal
import requests

job = json.load(sys.stdin)
app = msal.ConfidentialClientApplication(
    job["client"],
    client_credential=job["credential"],
    authority=job["authority"],
    # False, or the URL that says whether the authority is one.
    instance_discovery=job["discovery"],
)
got = app.acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
if "access_token" not in got:
    print(json.dumps({"error": got.get("error"), "codes": got.get("error_codes")}))
    sys.exit()
answer = requests.get(job["resource"], headers={"Authorization": "Bearer " + got["access_token"]})
print(json.dumps({"status": answer.status_code, "expires": got["expires_in"]}))
