import { type Command, Option } from "commander";
import { asking, located } from "../../asking.ts";
import type { Printer } from "../../printer.ts";
import { type GetOptions, getObject } from "./get.ts";
import {
  collectGarbage,
  type JobsOptions,
  jobOnObject,
  type PlaceOptions,
  place,
  type ScrubOptions,
  scrub,
  showJobs,
} from "./job-commands.ts";
import { type ListOptions, listContent } from "./listing.ts";
import {
  linkName,
  type PinOptions,
  pinObject,
  quota,
  showObject,
  unlinkName,
  unpinObject,
} from "./object-commands.ts";
import { leafSizeNames, type PutOptions, putFiles } from "./put.ts";

type InNamespace = { readonly namespace: string };

const objectText = "a CID, sha256:HEX, or a name in the namespace";
const pinClasses = ["hot", "warm", "cold"];

/** `holo cam`: the store of a node. */
export function addCam(program: Command, printer: Printer): void {
  const cam = program
    .command("cam")
    .description("store content, find it by its digest or a name, and keep it");
  addBytes(cam, printer);
  addLooking(cam, printer);
  addKeeping(cam, printer);
  addJobs(cam, printer);
}

function addBytes(cam: Command, printer: Printer): void {
  const put = cam
    .command("put")
    .description("store files, or the standard input, and print their CIDs")
    .argument("<file...>", "files, or - for the standard input")
    .option("-r, --recursive", "put each file in a folder, named by its path there")
    .option("--name <name>", "name the object, in place of what had the name")
    .option("--prefix <path>", "with -r: what names begin with")
    .addOption(new Option("--pin <class>", "pin it").choices(pinClasses))
    .option("--expected <cid>", "keep the bytes only if they have this CID")
    .addOption(
      new Option("--leaf-size <size>", "the unit that is verified by itself (default: 64KiB)").choices(
        Object.keys(leafSizeNames),
      ),
    )
    .option("--chunked", "store each piece that is there already once only")
    .option("--receipt <file>", "write a bundle with the receipt, which verifies anywhere");
  located<PutOptions, [string[]]>(within(put), printer, putFiles);
  const get = cam
    .command("get")
    .description("get an object's bytes, verified against its CID")
    .argument("<object>", objectText)
    .option("-O, --out <file>", "write them to a file, once all are verified (default: standard output)")
    .option("--force", "replace a file that is there")
    .option("--manifest", "of what was put with --chunked: the list of its pieces")
    .option("--range <start-end>", "first and last byte as HTTP has them, from 0: 0-99 is a hundred bytes");
  located<GetOptions, [string]>(within(get), printer, getObject);
}

function addLooking(cam: Command, printer: Printer): void {
  const stat = cam.command("stat").description("say what is known of an object");
  asking<InNamespace, [string]>(within(stat.argument("<object>", objectText)), printer, showObject);
  const ls = cam
    .command("ls")
    .description("list the names of a namespace")
    .addOption(new Option("--objects", "list all objects").conflicts("namespaces"))
    .option("--namespaces", "list the namespaces, what they hold and may hold");
  asking<ListOptions>(within(ls), printer, listContent);
}

function addKeeping(cam: Command, printer: Printer): void {
  const link = cam
    .command("link")
    .description("give an object a name, in place of what had it")
    .argument("<name>", "the name")
    .argument("<object>", objectText);
  asking<InNamespace, [string, string]>(within(link), printer, linkName);
  const unlink = cam.command("unlink").description("take a name away").argument("<name>", "the name");
  asking<InNamespace, [string]>(within(unlink), printer, unlinkName);
  const pin = scoped(cam.command("pin").description("keep an object, whether it has a name or not"))
    .addOption(new Option("--class <class>", "how near it is to be kept").choices(pinClasses).default("warm"))
    .option("--ttl <time>", "how long, such as 30d, 12h, 45m or 90s (default: until it is unpinned)");
  asking<PinOptions, [string]>(within(pin), printer, pinObject);
  const unpin = scoped(cam.command("unpin").description("end a pin"));
  asking<PinOptions, [string]>(within(unpin), printer, unpinObject);
  const quotas = cam
    .command("quota")
    .description("show or say what a namespace may hold")
    .argument("<namespace>", "its name")
    .argument("[bytes]", "a size such as 10GiB or 500MB, or none for no limit");
  asking<object, [string, string | undefined]>(quotas, printer, quota);
}

function addJobs(cam: Command, printer: Printer): void {
  const gc = cam
    .command("gc")
    .description("remove objects that nothing names, pins or refers to")
    .option(
      "--grace <time>",
      "leave alone what was put or used so lately, such as 1h (default: as configured)",
    );
  asking<{ grace?: string }, []>(detachable(gc), printer, collectGarbage);
  const scrubbing = cam
    .command("scrub")
    .description("read everything, name what is damaged to the leaf, and repair what is placed")
    .option("--rate <rate>", "read so much a second at most, such as 8MB/s (default: as configured)")
    .option("--sample <share>", "read a share by chance, such as 10% (default: as configured)");
  asking<ScrubOptions, []>(detachable(scrubbing), printer, scrub);
  const verify = cam
    .command("verify")
    .description("read an object and where it is placed, and name what is damaged");
  asking<InNamespace, [string]>(onObject(verify), printer, jobOnObject("verify"));
  const placing = cam
    .command("place")
    .description("spread an object over the devices of the configuration")
    .option("--copies <n>", "as so many copies")
    .option("--scheme <data+parity>", "with Reed-Solomon, such as 4+2: any 4 of 6 devices have all of it");
  asking<PlaceOptions, [string]>(onObject(placing), printer, place);
  const repair = cam.command("repair").description("make an object and its shards whole again");
  asking<InNamespace, [string]>(onObject(repair), printer, jobOnObject("repair"));
  const jobs = cam
    .command("jobs")
    .description("show the jobs that run and those that ended lately")
    .argument("[job]", "one of them, with what came of it")
    .option("--wait", "wait for its end")
    .addOption(new Option("--cancel", "cancel it").conflicts("wait"));
  asking<JobsOptions>(jobs, printer, showJobs);
}

function within(command: Command): Command {
  return command.option("--namespace <name>", "whose names and quota", "default");
}

function scoped(command: Command): Command {
  return command
    .argument("<object>", objectText)
    .option("--scope <scope>", "what the pin is for: an object has one for each", "default");
}

function detachable(command: Command): Command {
  return command.option("--detach", "do not wait for its end: print the job's number");
}

function onObject(command: Command): Command {
  return detachable(within(command.argument("<object>", objectText)));
}
