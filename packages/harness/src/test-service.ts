import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { buildSubgraphSchema } from "@apollo/subgraph";
import type { ServiceDeclarationInput } from "@catalyst/rpc";
import { type GraphQLSchema, parse } from "graphql";
import { createSchema, createYoga } from "graphql-yoga";

/** A service in this process, on a port of its own. */
export type TestService = AsyncDisposable & {
  readonly name: string;
  readonly port: number;
  readonly declaration: ServiceDeclarationInput;
  /** Stops listening and cuts every connection; `resume` listens on the same port again. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Puts another behaviour in the service's place. */
  become(listener: RequestListener): void;
};

type Resolvers = Record<string, unknown>;

/** A federation subgraph. */
export function subgraph(name: string, sdl: string, resolvers: Resolvers): Promise<TestService> {
  const link =
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@shareable"])';
  const schema = buildSubgraphSchema([{ typeDefs: parse(`${link}\n${sdl}`), resolvers: resolvers as never }]);
  return graphqlService(name, schema);
}

/** A GraphQL service that knows nothing of federation. */
export function plainService(name: string, sdl: string, resolvers: Resolvers): Promise<TestService> {
  return graphqlService(name, createSchema({ typeDefs: sdl, resolvers: resolvers as never }));
}

/** A service that does what the listener does. */
export function httpService(
  name: string,
  listener: RequestListener,
  protocol: "http" | "graphql" = "http",
): Promise<TestService> {
  return listen(name, protocol, listener);
}

function graphqlService(name: string, schema: GraphQLSchema): Promise<TestService> {
  const yoga = createYoga({ schema, logging: false, landingPage: false, graphiql: false });
  return listen(name, "graphql", (request, response) => void yoga(request, response));
}

async function listen(
  name: string,
  protocol: "http" | "graphql",
  first: RequestListener,
): Promise<TestService> {
  let listener = first;
  const server: Server = createServer((request, response) => listener(request, response));
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const pause = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  const path = protocol === "graphql" ? "/graphql" : "";
  return {
    name,
    port,
    declaration: { name, protocol, url: `http://127.0.0.1:${port}${path}` },
    pause,
    resume: async () => {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
    become: (next) => {
      listener = next;
    },
    [Symbol.asyncDispose]: pause,
  };
}
