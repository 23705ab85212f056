// Ways of JavaScript programs through the log: `node clients.mjs NAME` signs in, follows
// all links and writes the id of each row as a line.
//
// What the environment does not say is Microsoft's: without AUTHORITY and GRAPH these
// are programs that know login.microsoftonline.com and graph.microsoft.com and have not
// heard of trunklog.
import { ClientSecretCredential } from "@azure/identity";
import { ConfidentialClientApplication } from "@azure/msal-node";
import { Client, PageIterator } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";
import { graphfi, GraphCollection } from "@pnp/graph";
import { GraphDefault } from "@pnp/nodejs";
import * as openid from "openid-client";

const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: clientId, AZURE_CLIENT_SECRET: clientSecret, CALLS: calls, AUTHORITY, GRAPH } = process.env;
const scopes = ["https://graph.microsoft.com/.default"];
const authority = `${AUTHORITY ?? "https://login.microsoftonline.com"}/${tenant}`;
const root = `${GRAPH ?? "https://graph.microsoft.com"}/v1.0`;
const auth = { clientId, clientSecret, authority, knownAuthorities: AUTHORITY ? [new URL(AUTHORITY).host] : [] };

const print = (rows) => rows.forEach((row) => console.log(row.id));

const walks = {
  async "@microsoft/microsoft-graph-client"() {
    const options = AUTHORITY ? { authorityHost: AUTHORITY, disableInstanceDiscovery: true } : {};
    const credential = new ClientSecretCredential(tenant, clientId, clientSecret, options);
    const client = Client.initWithMiddleware({
      authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes }),
      ...(GRAPH ? { baseUrl: GRAPH, customHosts: new Set([new URL(GRAPH).hostname]) } : {}),
    });
    const first = await client.api(`/${calls}`).get();
    await new PageIterator(client, first, (row) => {
      print([row]);
      return true;
    }).iterate();
  },

  async "@azure/msal-node"() {
    const app = new ConfidentialClientApplication({ auth });
    const { accessToken } = await app.acquireTokenByClientCredential({ scopes });
    for (let url = `${root}/${calls}`; url; ) {
      const answer = await fetch(url, { headers: { Authorization: `Bearer ${accessToken}` } });
      const page = await answer.json();
      print(page.value);
      url = page["@odata.nextLink"];
    }
  },

  async "@pnp/graph"() {
    const graph = graphfi().using(GraphDefault({ ...(GRAPH ? { baseUrl: root } : {}), msal: { config: { auth }, scopes } }));
    for await (const rows of graph.create(GraphCollection, calls)) {
      print(rows);
    }
  },

  async "openid-client"() {
    const config = await openid.discovery(new URL(`${authority}/v2.0`), clientId, clientSecret);
    const token = await openid.clientCredentialsGrant(config, { scope: scopes[0] });
    for (let url = `${root}/${calls}`; url; ) {
      const answer = await openid.fetchProtectedResource(config, token.access_token, new URL(url), "GET");
      const page = await answer.json();
      print(page.value);
      url = page["@odata.nextLink"];
    }
  },
};
await walks[process.argv[2]]();
