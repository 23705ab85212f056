"""A Python program's way through the log: it signs in with MSAL, follows all links
and writes the id of each row as a line. It has not heard of trunklog."""

import os

import msal
import requests

app = msal.ConfidentialClientApplication(
    os.environ["AZURE_CLIENT_ID"],
    client_credential=os.environ["AZURE_CLIENT_SECRET"],
    authority="https://login.microsoftonline.com/" + os.environ["AZURE_TENANT_ID"],
)
token = app.acquire_token_for_client(scopes=["https://graph.microsoft.com/.default"])
url = "https://graph.microsoft.com/v1.0/" + os.environ["CALLS"]
while url:
    answer = requests.get(url, headers={"Authorization": "Bearer " + token["access_token"]})
    answer.raise_for_status()
    page = answer.json()
    for row in page["value"]:
        print(row["id"])
    url = page.get("@odata.nextLink")
