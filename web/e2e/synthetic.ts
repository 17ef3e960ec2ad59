// A made-up atlas as the API would tell it, for measuring the explorer at sizes that take long to build.
export interface Synthetic {
  info: object;
  tree: object;
  nodes: Buffer;
  items: Buffer;
  values: Buffer;
}

function safetensors(arrays: Record<string, [string, Float64Array | Float32Array | Uint32Array | Uint8Array]>, metadata: Record<string, string> = {}): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let size = 0;
  for (const [name, [dtype, array]] of Object.entries(arrays)) {
    header[name] = { dtype, shape: [array.length], data_offsets: [size, size + array.byteLength] };
    size += array.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...Object.values(arrays).map(([, array]) => Buffer.from(array.buffer))]);
}

// A tree of 20 x 20 x 20 topics, items at its leaves.
export function synthetic(nItems: number): Synthetic {
  const kFan = 20;
  const parent = [0xffffffff];
  const depth = [0];
  for (let node = 0; node < parent.length; ++node) {
    if (depth[node] === 3) continue;
    for (let i = 0; i < kFan; ++i) {
      parent.push(node);
      depth.push(depth[node] + 1);
    }
  }
  const n = parent.length;
  const leaves = depth.map((d, node) => [d, node]).filter(([d]) => d === 3).map(([, node]) => node);
  const angle = new Float64Array(n);
  const distance = new Float64Array(n);
  const halfArc = new Float64Array(n).fill(Math.PI);
  for (let node = 1; node < n; ++node) {
    const sky = parent[node] === 0 ? Math.PI : Math.PI / 4;
    const place = (node - 1) % kFan;
    angle[node] = -sky + (2 * sky * (place + 0.5)) / kFan;
    halfArc[node] = (0.92 * sky) / kFan;
    distance[node] = Math.log(Math.tan(Math.PI / 8) / Math.tan(halfArc[node] / 2));
  }
  const item = Uint32Array.from({ length: nItems }, (_, i) => i);
  const node = item.map((i) => leaves[i % leaves.length]);
  const size = new Uint32Array(n);
  for (const at of node) ++size[at];
  for (let at = n - 1; at > 0; --at) size[parent[at]] += size[at];
  const perLeaf = Math.ceil(nItems / leaves.length);
  const topic = (at: number): object => ({
    node: at, name: `topic ${at}`, size: size[at], keywords: ['made', 'up'],
    children: parent.flatMap((p, child) => (p === at ? [child] : [])).map(topic),
  });
  return {
    info: {
      name: 'made up', n_items: nItems, dim: 2, n_topics: n, n_leaves: leaves.length, max_depth: 3, n_outliers: 0, encoder: '', method: '',
      has_texts: true, columns: [{ name: 'value', kind: 'number', n_missing: 0, n_distinct: nItems, min: 0, max: 1 }],
    },
    tree: topic(0),
    nodes: safetensors({
      parent: ['U32', Uint32Array.from(parent)], size: ['U32', size], angle: ['F64', angle], distance: ['F64', distance],
      half_arc: ['F64', halfArc], item_radius: ['F64', new Float64Array(n).fill(1.2)],
    }),
    items: safetensors({
      item: ['U32', item], node: ['U32', node],
      angle: ['F32', Float32Array.from(item, (i) => (i * 2.399963) % 6.283185)],
      distance: ['F32', Float32Array.from(item, (i) => 1.2 * Math.sqrt(Math.floor(i / leaves.length) / perLeaf))],
      strength: ['F32', new Float32Array(nItems).fill(0.5)], outlier: ['U8', new Uint8Array(nItems)],
    }, { total: String(nItems), until: String(nItems) }),
    values: safetensors({ values: ['F64', Float64Array.from(item, (i) => (i * 0.618034) % 1)] }),
  };
}
