// The JavaScript Graph client as a program would use it. It reads one job, a
// line of JSON, from stdin, and writes what happened to stdout, a line of JSON
// each:
//
//   {"page": [row, …]}   for each page; the next one is fetched when a line
//                        comes on stdin
//   {"done": true}       at the end of the log, or
//   {"error": {…}}       if the client gave up
//
// With "batch", a list of paths, it reads all of them at once: the first page of
// each in one batch, then the next page of each that has one, and so on.
//
// Every answer has "wire": the requests that were sent since the last one.
import { createInterface } from "node:readline";
import { ClientCertificateCredential, ClientSecretCredential } from "@azure/identity";
import { BatchRequestContent, BatchResponseContent, Client, GraphError, PageIterator, RetryHandlerOptions } from "@microsoft/microsoft-graph-client";
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

// readBatches reports the pages of all paths. In a batch, urls stand behind the
// version; the client cuts off the host.
async function readBatches(paths) {
  while (paths.length > 0) {
    const steps = paths.map((path, i) => ({ id: String(i), request: new Request(job.url + path) }));
    const content = await new BatchRequestContent(steps).getContent();
    const answers = new BatchResponseContent(await client.api("/$batch").post(content));
    const links = [];
    for (const { id } of steps) {
      const answer = answers.getResponseById(id);
      const page = await answer.json();
      if (answer.status !== 200) {
        throw new Error(`part ${id} has status ${answer.status}: ${JSON.stringify(page)}`);
      }
      if (page["@odata.nextLink"]) {
        links.push(page["@odata.nextLink"].replace(`${job.url}/${job.version}`, ""));
      }
      report({ page: page.value, done: links.length === 0 && id === steps.at(-1).id });
      await nextLine();
    }
    paths = links;
  }
}

const middlewareOptions = job.retry ? [] : [new RetryHandlerOptions(1, 0)];
async function readPages() {
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
}

try {
  await (job.batch ? readBatches(job.batch) : readPages());
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
