import { option, readAddress, z } from "@catalyst/config";
import { logLevels } from "./log-level.ts";

/** The section `telemetry` of a node's configuration. */
export const telemetryOptions = z.strictObject({
  listen: option(
    z
      .string()
      .refine(isListen, "must be an IP address and a port, such as 127.0.0.1:9464, or off")
      .default("127.0.0.1:9464"),
    {
      description:
        "Where `/healthz`, `/readyz` and `/metrics` are served; `off` for nowhere. They have no access control: keep them on loopback.",
      range: "an IP address and a port (0: any free one, which `status` and the log tell), or off",
    },
  ),
  logLevel: option(z.enum(logLevels).default("info"), {
    description: "The least urgent level that is logged.",
  }),
});
export type TelemetryOptions = z.output<typeof telemetryOptions>;

function isListen(text: string): boolean {
  return text === "off" || readAddress(text) !== null;
}
