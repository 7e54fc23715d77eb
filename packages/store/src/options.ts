import { keyedList, option, z } from "@catalyst/config";
import { labelPattern, namespacePattern } from "@catalyst/wire";
import { defaultScrubBytesPerSecond } from "./store.ts";

const gibibyte = 1024 ** 3;

const deviceDeclaration = z.strictObject({
  name: z.string().regex(labelPattern, "must be a DNS label in lower case").meta({
    description: "What receipts call the device.",
  }),
  folder: z.string().min(1).meta({ description: "A folder on it that holds nothing else." }),
});

const quotaDeclaration = z.strictObject({
  namespace: z
    .string()
    .regex(namespacePattern, "is not a namespace such as acme or team.app")
    .meta({ description: "Whose quota it is." }),
  maxBytes: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .meta({
      description: "What its objects may take together, in bytes.",
      examples: [100 * gibibyte],
    }),
});

const scrubOptions = z.strictObject({
  everyHours: option(z.number().min(0).max(8_760).default(168), {
    description: "How often every object is read and verified; 0 for never.",
    range: "24 to 720 hours",
  }),
  bytesPerSecond: option(z.int().min(1_000).default(defaultScrubBytesPerSecond), {
    description: "What it reads at most, so that others have the disk.",
    range: "5 % of what the disk reads",
  }),
  sampleRate: option(z.number().gt(0).max(1).default(1), {
    description: "The share of the bytes that a round reads, taken by chance.",
    range: "0.01 to 1",
  }),
});

const gcOptions = z.strictObject({
  everyHours: option(z.number().min(0).max(8_760).default(24), {
    description: "How often objects that nothing keeps are removed; 0 for never.",
    range: "1 to 168 hours",
  }),
  graceMinutes: option(z.number().min(0).max(525_600).default(60), {
    description: "How long an object that nothing keeps is left alone after it was put or used.",
    range: "10 minutes to a week",
  }),
});

/** The section `content` of a node's configuration. */
export const contentOptions = z.strictObject({
  folder: option(z.string().min(1).optional(), {
    description: "Folder of the store. By default `content` in the data directory.",
  }),
  devices: keyedList(deviceDeclaration, {
    key: "name",
    flag: "content-device",
    description: "Where `holo cam place` spreads objects to: folders on disks of their own.",
  }),
  quotas: keyedList(quotaDeclaration, {
    key: "namespace",
    flag: "content-quota",
    description:
      "What namespaces may hold. Those that are not named here have no limit, or one that `holo cam quota` set.",
  }),
  scrub: scrubOptions,
  gc: gcOptions,
});
export type ContentOptions = z.output<typeof contentOptions>;
