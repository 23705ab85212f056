// The JavaScript Graph client as a program would use it. It reads one job, a
// line of JSON, from stdin, and writes what happened to stdout, a line of JSON
// each:
//
//   {"page": [row, …]}   for each page; the next one is fetched when a line
//                        comes on stdin
//   {"done": true}       at the end of the log, or
//   {"error": {…}}       if the client gave up
//
// Every answer has "wire": the requests that were sent since the last one.
import { createInterface } from "node:readline";
import { ClientCertificateCredential, ClientSecretCredential } from "@azure/identity";
import { Client, GraphError, PageIterator, RetryHandlerOptions } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const nextLine = async () => (await lines.next()).value;
const job = JSON.parse(await nextLine());

// Notes what goes over the wire below the client.
let wire = [];
const send = globalThis.fetch;
globalThis.fetch = async (request, options) => {
  const headers = new Headers(options?.headers ?? request.headers);
  const at = Date.now();
  const answer = await send(request, options);
  wire.push({
    url: answer.url,
    at,
    attempt: headers.get("Retry-Attempt") ?? "",
    status: answer.status,
    encoding: answer.headers.get("Content-Encoding") ?? "",
    retryAfter: answer.headers.get("Retry-After") ?? "",
  });
  return answer;
};

function report(what) {
  process.stdout.write(JSON.stringify({ ...what, wire }) + "\n");
  wire = [];
}

function credential() {
  const options = { authorityHost: job.url, disableInstanceDiscovery: true };
  if (job.token) {
    return { getToken: async () => ({ token: job.token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
  }
  if (job.certificate) {
    return new ClientCertificateCredential(job.tenant, job.client, job.certificate, options);
  }
  return new ClientSecretCredential(job.tenant, job.client, job.secret, options);
}

const client = Client.initWithMiddleware({
  authProvider: new TokenCredentialAuthenticationProvider(credential(), { scopes: ["api://trunklog/.default"] }),
  baseUrl: job.url,
  defaultVersion: job.version,
  customHosts: new Set(["localhost"]),
});

const middlewareOptions = job.retry ? [] : [new RetryHandlerOptions(1, 0)];
try {
  const first = await client.api(job.path).middlewareOptions(middlewareOptions).get();
  let rows = [];
  const pages = new PageIterator(
    client,
    first,
    (row) => rows.push(row) % job.pageSize !== 0,
    { middlewareOptions },
  );
  await pages.iterate();
  while (!pages.isComplete()) {
    report({ page: rows });
    rows = [];
    await nextLine();
    await pages.resume();
  }
  report({ page: rows, done: true });
} catch (error) {
  report({
    error: {
      graph: error instanceof GraphError,
      name: error.name,
      status: error.statusCode,
      code: error.code,
      message: error.message,
      requestId: error.requestId,
      retryAfter: error.headers?.get("Retry-After") ?? "",
    },
  });
}
lines.return();
