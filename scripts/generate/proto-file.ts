import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import protobuf from "protobufjs";
import "protobufjs/ext/descriptor/index.js";

/** What the extension `descriptor` of protobufjs adds to its roots. */
type Describable = { toDescriptor(syntax: "proto3"): protobuf.Message & { readonly $type: protobuf.Type } };

/** What protoc would say of a file with one package and without imports: what protobufjs leaves out is filled in. */
export function describeProtoFile(name: string, source: string): FileDescriptorProto {
  const { root, package: of } = protobuf.parse(source, new protobuf.Root(), { keepCase: true });
  const made = (root.resolveAll() as unknown as Describable).toDescriptor("proto3");
  const set = fromBinary(FileDescriptorSetSchema, made.$type.encode(made).finish());
  const file = set.file.find((each) => each.package === of);
  if (file === undefined) throw new Error(`${name} has no package`);
  file.name = name;
  file.syntax = "proto3";
  for (const message of file.messageType) {
    for (const field of message.field) {
      field.jsonName = field.name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      if (field.typeName !== "" && !field.typeName.startsWith("."))
        field.typeName = `.${file.package}.${field.typeName}`;
      if (message.oneofDecl[field.oneofIndex]?.name === `_${field.name}`) field.proto3Optional = true;
    }
  }
  return file;
}
