import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { file_orbit_v1_orbit, StarService } from "../../generated/orbit/v1/orbit_pb.js";
import { starService } from "../service.ts";

/** Adds what gRPC's own tools ask for: server reflection (v1 and v1alpha) and `grpc.health.v1.Health`. */
export function addReflection(server: Server): void {
  const file = Buffer.from(toBinary(FileDescriptorProtoSchema, file_orbit_v1_orbit.proto));
  const methods = Object.fromEntries(
    Object.entries(starService).map(([name, method]) => [name, { ...method, fileDescriptorProtos: [file] }]),
  );
  const described = { [StarService.typeName]: methods, file: { fileDescriptorProtos: [file] } };
  new ReflectionService(
    described as unknown as ConstructorParameters<typeof ReflectionService>[0],
  ).addToServer(server);
  new HealthImplementation({ "": "SERVING", [StarService.typeName]: "SERVING" }).addToServer(server);
}
