// Work on many things at once, and on no more at a time than is good.

/**
 * @template T, R
 * @param {readonly T[]} items
 * @param {number} width how many are worked on at a time
 * @param {(item: T) => Promise<R>} work
 * @returns {Promise<R[]>} what came of each, in the items' order
 */
export async function mapPool(items, width, work) {
  /** @type {R[]} */
  const results = [];
  // Shared by all workers: each takes what is next.
  const entries = items.entries();
  const worker = async () => {
    for (const [i, item] of entries) results[i] = await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
