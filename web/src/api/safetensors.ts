import { ApiError } from './api';

type TypedArray = Float64Array | Float32Array | Uint32Array | Uint8Array;
const kTypes = {
  F64: Float64Array,
  F32: Float32Array,
  U32: Uint32Array,
  U8: Uint8Array,
} as const;

// The safetensors format: u64 length of a JSON header, the header, then all arrays' bytes, little
// endian. Texts are in the header's __metadata__.
export class Safetensors {
  private constructor(
    private readonly buffer: ArrayBuffer,
    private readonly header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>,
    readonly metadata: Record<string, string>,
    private readonly start: number,
  ) {}

  static parse(buffer: ArrayBuffer): Safetensors {
    try {
      const length = Number(new DataView(buffer).getBigUint64(0, true));
      const { __metadata__: metadata, ...header } = JSON.parse(
        new TextDecoder().decode(new Uint8Array(buffer, 8, length)),
      );
      return new Safetensors(buffer, header, metadata ?? {}, 8 + length);
    } catch {
      throw new ApiError('failed', 'an array of numbers from the server is damaged: reload the page');
    }
  }

  shape(name: string): number[] {
    return this.entry(name).shape;
  }
  f64(name: string): Float64Array {
    return this.array(name, 'F64') as Float64Array;
  }
  f32(name: string): Float32Array {
    return this.array(name, 'F32') as Float32Array;
  }
  u32(name: string): Uint32Array {
    return this.array(name, 'U32') as Uint32Array;
  }
  u8(name: string): Uint8Array {
    return this.array(name, 'U8') as Uint8Array;
  }

  private entry(name: string) {
    const entry = this.header[name];
    if (!entry) throw new ApiError('failed', `the server's answer lacks the array '${name}'`);
    return entry;
  }
  private array(name: string, dtype: keyof typeof kTypes): TypedArray {
    const entry = this.entry(name);
    if (entry.dtype !== dtype) {
      throw new ApiError('failed', `the array '${name}' is ${entry.dtype}, ${dtype} was expected`);
    }
    const Type = kTypes[dtype];
    const begin = this.start + entry.data_offsets[0];
    const n = (entry.data_offsets[1] - entry.data_offsets[0]) / Type.BYTES_PER_ELEMENT;
    if (begin + n * Type.BYTES_PER_ELEMENT > this.buffer.byteLength) {
      throw new ApiError('failed', `the array '${name}' was cut off: reload the page`);
    }
    // Headers have any length, so arrays may begin at any byte; a view must begin at a multiple.
    return begin % Type.BYTES_PER_ELEMENT === 0
      ? new Type(this.buffer, begin, n)
      : new Type(this.buffer.slice(begin, begin + n * Type.BYTES_PER_ELEMENT));
  }
}
