export * from "./portable.ts";
