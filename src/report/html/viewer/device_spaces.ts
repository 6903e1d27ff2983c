/// <reference lib="dom" />
import { escapeText } from "../../../core/escape.ts";
import { aliases, type AliasRecord } from "../../../translate/aliases.ts";
import { walk } from "../../../translate/walk.ts";
import { mappingLine, mappingsHead, rightsText } from "../../mappings_text.ts";
import type { ReportSide } from "../page_data.ts";
import { type Content, make } from "./dom.ts";
import { ListView } from "./list_view.ts";
import { Side } from "./side.ts";

/** So many addresses of one frame are told: a page may be mapped a million times. */
const MAX_LINKS = 16;

/** What the spaces of devices need of the page. */
export interface DeviceSpacesParts {
  /** The devices' address spaces, as the report has them. */
  readonly devices: readonly ReportSide[];
  /** The address space that the page is about. */
  shown(): Side;
  /** How wide drawings are, in pixels. */
  width(): number;
  /** Shows the way to an address of the page's own address space. */
  lookUp(address: bigint): void;
}

/** The address spaces of devices below a page's own, with links between what maps one frame. */
export class DeviceSpaces {
  /** All of them, as they stand in the page. */
  readonly node: HTMLElement = make("div", { id: "devices" });
  readonly #parts: DeviceSpacesParts;
  readonly #spaces: readonly Side[];
  readonly #way = make("div", { class: "sides", id: "device-way" });

  private constructor(parts: DeviceSpacesParts, spaces: readonly Side[]) {
    this.#parts = parts;
    this.#spaces = spaces;
    if (spaces.length === 0) return;
    this.node.append(make("h2", {}, "What devices reach"), this.#way);
    for (const space of spaces) {
      const { context, source } = space.snapshot;
      const list = new ListView(space.name, (row) => void this.#show(space, row.address));
      list.show(space.records.map((record) => ({
        text: mappingLine(record, context),
        address: record.address,
      })));
      this.node.append(
        make("h3", {}, escapeText(space.name)),
        make(
          "p",
          {},
          `${escapeText(source)}, ${context.mode}, root 0x${context.root.toString(16)}`,
        ),
        ...space.records.length === 0
          ? [make("p", {}, "nothing")]
          : [make("pre", {}, mappingsHead(context)), list.node],
      );
    }
  }

  /** Unpacks them. */
  static async open(parts: DeviceSpacesParts): Promise<DeviceSpaces> {
    return new DeviceSpaces(parts, await Promise.all(parts.devices.map((one) => Side.open(one))));
  }

  /** Links to where devices reach the frame that an address of the page's own space leads to. */
  async linksFrom(address: bigint): Promise<Content[]> {
    if (this.#spaces.length === 0) return [];
    const { memory, context } = this.#parts.shown().snapshot;
    const found = await walk(memory, context, address, { recheck: false });
    if (found.outcome !== "mapped") return [];
    const links: Content[] = [];
    for (const space of this.#spaces) {
      for (const alias of await mappingsOf(space, found.physicalAddress)) {
        const text = `${escapeText(space.name)} reaches this frame at IOVA ${hex(alias.address)} (${
          rightsText(alias.effective)
        })`;
        links.push(link(text, () => void this.#show(space, alias.address)));
      }
    }
    return links.length > 0 ? links : ["No device reaches this frame."];
  }

  /** The way to a device's address, and links to where the page's own space maps the frame. */
  async #show(space: Side, address: bigint): Promise<void> {
    const way = await space.wayTo(address, this.#parts.width());
    const { memory, context } = space.snapshot;
    const found = await walk(memory, context, address, { recheck: false });
    const links: Content[] = [];
    if (found.outcome === "mapped") {
      const { shown, lookUp } = this.#parts;
      for (const alias of await mappingsOf(shown(), found.physicalAddress)) {
        const text = `this frame is mapped at ${hex(alias.address)} (${
          rightsText(alias.effective)
        })`;
        links.push(link(text, () => lookUp(alias.address)));
      }
      if (links.length === 0) links.push("The tables of this page do not map the frame.");
    }
    this.#way.replaceChildren(way, make("p", { class: "links" }, ...links));
    this.#way.scrollIntoView({ block: "nearest" });
  }
}

type Alias = Extract<AliasRecord, { kind: "alias" }>;

async function mappingsOf({ snapshot }: Side, physicalAddress: bigint): Promise<Alias[]> {
  const found: Alias[] = [];
  const options = { maxAliases: MAX_LINKS };
  for await (const one of aliases(snapshot.memory, snapshot.context, physicalAddress, options)) {
    if (one.kind === "alias") found.push(one);
  }
  return found;
}

function link(text: string, pick: () => void): HTMLElement {
  const button = make("button", { type: "button", class: "link" }, text);
  button.addEventListener("click", pick);
  return button;
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
