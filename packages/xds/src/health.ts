import type { Server, ServiceDefinition } from "@grpc/grpc-js";

/** `HealthCheckResponse { status: SERVING }` (grpc.health.v1): field 1, varint, 1. */
const serving = Buffer.from([0x08, 0x01]);

const service: ServiceDefinition = {
  check: {
    path: "/grpc.health.v1.Health/Check",
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: Buffer) => value,
    requestDeserialize: (value: Buffer) => value,
    responseSerialize: (value: Buffer) => value,
    responseDeserialize: (value: Buffer) => value,
  },
};

/**
 * Answers gRPC health checks (grpc.health.v1.Health/Check) with SERVING, whatever service is asked for. A proxy
 * that checks by connecting alone would take a server that hangs for a healthy one: the kernel accepts for it.
 */
export function addHealthService(server: Server): void {
  server.addService(service, {
    check: (_call: unknown, respond: (error: null, value: Buffer) => void) => respond(null, serving),
  });
}
