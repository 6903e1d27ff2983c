let known: WeakSet<object> | null = null;

/** Says whether a function is one of JavaScript's own: what it does with a callback is known. */
export function isIntrinsic(candidate: object): boolean {
  return (known ??= collect()).has(candidate);
}

/** JavaScript's own objects, where Deno's and the browser's are not meant. */
const ROOTS = [
  ...["Array", "ArrayBuffer", "Atomics", "BigInt", "BigInt64Array", "BigUint64Array", "Boolean"],
  ...["DataView", "Date", "Error", "FinalizationRegistry", "Float32Array", "Float64Array"],
  ...[
    "Function",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Intl",
    "Iterator",
    "JSON",
    "Map",
    "Math",
  ],
  ...["Number", "Object", "Promise", "Proxy", "Reflect", "RegExp", "Set", "String", "Symbol"],
  ...["Uint16Array", "Uint32Array", "Uint8Array", "Uint8ClampedArray", "WeakMap", "WeakRef"],
  ...["WeakSet", "decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent", "isFinite"],
  ...["isNaN", "parseFloat", "parseInt"],
];

function collect(): WeakSet<object> {
  const found = new WeakSet<object>();
  const queue: unknown[] = ROOTS.map((name) => Reflect.get(globalThis, name));
  while (queue.length > 0) {
    const next = queue.pop();
    if ((typeof next !== "object" && typeof next !== "function") || next === null) continue;
    if (found.has(next) || next === globalThis) continue;
    found.add(next);
    for (const property of Object.values(Object.getOwnPropertyDescriptors(next))) {
      queue.push(property.value, property.get, property.set);
    }
    queue.push(Object.getPrototypeOf(next));
  }
  return found;
}
