/** The thread that composes what would hold requests up: takes schemas one set after the other. */
import { parentPort } from "node:worker_threads";
import { Composer } from "./composition.ts";
import type { ThreadAnswer, ThreadRequest } from "./composition-thread.ts";

const composer = new Composer();

parentPort?.on("message", (services: ThreadRequest) => parentPort?.postMessage(answer(services)));

function answer(services: ThreadRequest): ThreadAnswer {
  try {
    const composition = composer.compose(services);
    if (!composition.ok) return composition;
    const { supergraphSdl, publicSdl } = composition.input;
    return { ok: true, composed: { supergraphSdl, publicSdl } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, faults: [{ services: [], message }] };
  }
}
