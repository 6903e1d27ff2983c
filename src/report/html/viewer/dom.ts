/// <reference lib="dom" />

/** What may stand in an element. Text is text: nothing of a guest is ever read as HTML. */
export type Content = Node | string;

/** Makes an element with attributes and content. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...content: Content[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...content);
  return node;
}

/** Takes a drawing over into the page. It is one of ours, with all text escaped. */
export function drawingNode(svg: string): Node {
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  return document.importNode(parsed.documentElement, true);
}

/** The value of a colour variable of the style sheet, as it is in the mode that is on. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
