import { Safetensors } from './safetensors';
import type { ColumnKind, ColumnValues, ItemTile, NodeLayout } from './types';

// The API's arrays, as the server and the exported page hold them.
export function readNodes(buffer: ArrayBuffer): NodeLayout {
  const arrays = Safetensors.parse(buffer);
  return {
    parent: arrays.u32('parent'),
    size: arrays.u32('size'),
    angle: arrays.f64('angle'),
    distance: arrays.f64('distance'),
    halfArc: arrays.f64('half_arc'),
    itemRadius: arrays.f64('item_radius'),
  };
}

export function readItems(buffer: ArrayBuffer): ItemTile {
  const arrays = Safetensors.parse(buffer);
  return {
    item: arrays.u32('item'),
    node: arrays.u32('node'),
    angle: arrays.f32('angle'),
    distance: arrays.f32('distance'),
    strength: arrays.f32('strength'),
    outlier: arrays.u8('outlier'),
    total: Number(arrays.metadata.total ?? arrays.shape('item')[0]),
    until: Number(arrays.metadata.until ?? arrays.shape('item')[0]),
  };
}

export function readColumn(buffer: ArrayBuffer, kind: ColumnKind): ColumnValues {
  const arrays = Safetensors.parse(buffer);
  if (kind === 'category') {
    return { kind, codes: arrays.u32('codes'), texts: JSON.parse(arrays.metadata.values) };
  }
  return { kind: kind === 'date' ? 'date' : 'number', values: arrays.f64('values') };
}
