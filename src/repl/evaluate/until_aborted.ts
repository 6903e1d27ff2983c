/** Waits for a promise, or rejects with the signal's reason as soon as it is aborted. */
export async function untilAborted<T>(signal: AbortSignal, promise: PromiseLike<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Repeats what an asynchronous iterable yields, and ends with the signal, whether the iterable heeds
 * it or not.
 */
export async function* itemsUntilAborted<T>(
  signal: AbortSignal,
  iterable: AsyncIterable<T>,
): AsyncGenerator<T, void> {
  const iterator = iterable[Symbol.asyncIterator]();
  try {
    while (!signal.aborted) {
      const { done, value } = await untilAborted(signal, iterator.next());
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    // An iterator that waits for something else may take its time: nobody waits for it.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** Says whether awaiting a value does anything. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof Reflect.get(value, "then") === "function";
}

/** Says whether a value yields items over time. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
