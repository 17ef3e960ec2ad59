import type { DiskTree, View } from '../geometry/disk_tree';
import { kNoParent } from '../geometry/disk_tree';
import type { Frame } from './camera';
import type { Items } from './items';
import { kEdgeFragment, kEdgeVertex, kPointFragment, kPointVertex } from './shaders';

export interface PointStyle {
  size: number; // CSS pixels at the middle
  opacity: number;
  faded: readonly number[]; // rgba, 0 .. 1
  outline: readonly number[];
  edge: readonly number[];
}

const kTextureWidth = 1024; // kMove divides by it
const kEdgeSteps = 10; // straight pieces of the geodesic from a parent to a child

// Items and edges on a WebGL 2 canvas: each in one call, however many.
export class PointsGl {
  private readonly gl: WebGL2RenderingContext;
  private readonly points: WebGLProgram;
  private readonly edges: WebGLProgram;
  private readonly pointArrays: WebGLVertexArrayObject;
  private readonly edgeArrays: WebGLVertexArrayObject;
  private readonly placeBuffer: WebGLBuffer;
  private readonly nodeBuffer: WebGLBuffer;
  private readonly colorBuffer: WebGLBuffer;
  private readonly flagBuffer: WebGLBuffer;
  private readonly hitBuffer: WebGLBuffer;
  private readonly motionRows: Float32Array;
  private readonly nEdgeVertices: number;
  private nUploaded = 0;
  private nHits = 0;

  // Throws if the browser has no WebGL 2.
  constructor(private readonly canvas: HTMLCanvasElement, tree: DiskTree, private readonly items: Items) {
    const gl = canvas.getContext('webgl2', { antialias: true, alpha: true, premultipliedAlpha: true });
    if (!gl) throw new Error('this browser has no WebGL 2');
    this.gl = gl;
    this.points = program(gl, kPointVertex, kPointFragment);
    this.edges = program(gl, kEdgeVertex, kEdgeFragment);
    this.motionRows = new Float32Array(4 * kTextureWidth * Math.ceil(tree.n / kTextureWidth));
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, kTextureWidth, this.motionRows.length / 4 / kTextureWidth);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);

    const { capacity } = items;
    this.pointArrays = gl.createVertexArray()!;
    gl.bindVertexArray(this.pointArrays);
    this.placeBuffer = this.buffer(8 * capacity);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    this.nodeBuffer = this.buffer(4 * capacity);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_INT, 0, 0);
    this.colorBuffer = this.buffer(4 * capacity);
    gl.enableVertexAttribArray(2);
    gl.vertexAttribPointer(2, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    this.flagBuffer = this.buffer(capacity);
    gl.enableVertexAttribArray(3);
    gl.vertexAttribIPointer(3, 1, gl.UNSIGNED_BYTE, 0, 0);
    this.hitBuffer = gl.createBuffer()!;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.hitBuffer);

    this.edgeArrays = gl.createVertexArray()!;
    gl.bindVertexArray(this.edgeArrays);
    this.nEdgeVertices = this.uploadEdges(tree);
    gl.bindVertexArray(null);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.depthFunc(gl.LEQUAL);
  }

  // Items that came since the last call.
  uploadItems(): void {
    const { gl, items } = this;
    const from = this.nUploaded;
    if (items.n === from) return;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.placeBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 8 * from, items.place, 2 * from, 2 * (items.n - from));
    gl.bindBuffer(gl.ARRAY_BUFFER, this.nodeBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 4 * from, items.node, from, items.n - from);
    this.nUploaded = items.n;
  }
  uploadColors(rgba: Uint8Array): void {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.colorBuffer);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, rgba, 0, 4 * this.items.n);
  }
  uploadFlags(flags: Uint8Array): void {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.flagBuffer);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, flags, 0, this.items.n);
  }
  uploadHits(slots: Uint32Array): void {
    this.gl.bindVertexArray(this.pointArrays); // it holds the binding of the element buffer
    this.gl.bindBuffer(this.gl.ELEMENT_ARRAY_BUFFER, this.hitBuffer);
    this.gl.bufferData(this.gl.ELEMENT_ARRAY_BUFFER, slots, this.gl.DYNAMIC_DRAW);
    this.gl.bindVertexArray(null);
    this.nHits = slots.length;
  }

  // The first nDrawn items, all hits.
  draw(frame: Frame, view: View, motions: Float64Array, style: PointStyle, pixelRatio: number,
       nDrawn: number): void {
    const { gl, canvas } = this;
    this.motionRows.set(motions);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, kTextureWidth, this.motionRows.length / 4 / kTextureWidth,
      gl.RGBA, gl.FLOAT, this.motionRows);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);

    this.use(this.edges, frame, view);
    gl.disable(gl.DEPTH_TEST);
    gl.uniform4fv(gl.getUniformLocation(this.edges, 'color'), style.edge);
    gl.bindVertexArray(this.edgeArrays);
    gl.drawArrays(gl.LINES, 0, this.nEdgeVertices);

    this.use(this.points, frame, view);
    const uniform = (name: string) => gl.getUniformLocation(this.points, name);
    gl.enable(gl.DEPTH_TEST);
    gl.uniform1f(uniform('size'), style.size * pixelRatio);
    gl.uniform1f(uniform('opacity'), style.opacity);
    gl.uniform1f(uniform('emphasis'), 0);
    gl.uniform4fv(uniform('faded'), style.faded);
    gl.uniform4fv(uniform('outline'), style.outline);
    gl.bindVertexArray(this.pointArrays);
    gl.drawArrays(gl.POINTS, 0, Math.min(nDrawn, this.nUploaded));
    if (this.nHits > 0) {
      gl.disable(gl.DEPTH_TEST);
      gl.uniform1f(uniform('emphasis'), 1);
      gl.uniform1f(uniform('opacity'), 1);
      gl.drawElements(gl.POINTS, this.nHits, gl.UNSIGNED_INT, 0);
    }
    gl.bindVertexArray(null);
  }

  private use(of: WebGLProgram, frame: Frame, view: View): void {
    const { gl } = this;
    gl.useProgram(of);
    gl.uniform2f(gl.getUniformLocation(of, 'middle'),
      (2 * frame.x) / frame.width - 1, 1 - (2 * frame.y) / frame.height);
    gl.uniform2f(gl.getUniformLocation(of, 'radius'),
      (2 * frame.radius) / frame.width, (2 * frame.radius) / frame.height);
    gl.uniform1f(gl.getUniformLocation(of, 'reach'), view.reach);
  }

  private buffer(bytes: number): WebGLBuffer {
    const buffer = this.gl.createBuffer()!;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, bytes, this.gl.DYNAMIC_DRAW);
    return buffer;
  }

  // The ray from a parent to a child is straight in the parent's frame.
  private uploadEdges(tree: DiskTree): number {
    const { gl } = this;
    const { parent, angle, distance, size } = tree.layout;
    const n = 2 * kEdgeSteps * (tree.n - 1);
    const place = new Float32Array(2 * n);
    const node = new Uint32Array(n);
    const weight = new Float32Array(n);
    let at = 0;
    for (let child = 0; child < tree.n; ++child) {
      if (parent[child] === kNoParent) continue;
      // Topics with many small children would hide under their edges.
      const strength = Math.min(Math.max(Math.sqrt(size[child] / size[0]) * 4, 0.22), 1);
      for (let step = 0; step < 2 * kEdgeSteps; ++step) {
        const share = Math.ceil(step / 2) / kEdgeSteps;
        const radius = Math.tanh((share * distance[child]) / 2);
        place[2 * at] = radius * Math.cos(angle[child]);
        place[2 * at + 1] = radius * Math.sin(angle[child]);
        node[at] = parent[child];
        weight[at++] = strength;
      }
    }
    const fill = (data: Float32Array | Uint32Array) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    };
    fill(place);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    fill(node);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribIPointer(1, 1, gl.UNSIGNED_INT, 0, 0);
    fill(weight);
    gl.enableVertexAttribArray(2);
    gl.vertexAttribPointer(2, 1, gl.FLOAT, false, 0, 0);
    return n;
  }
}

function program(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const result = gl.createProgram()!;
  for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(result, shader);
  }
  gl.linkProgram(result);
  if (!gl.getProgramParameter(result, gl.LINK_STATUS)) {
    const logs = gl.getAttachedShaders(result)!.map((shader) => gl.getShaderInfoLog(shader));
    throw new Error(`the map's shaders do not compile here: ${gl.getProgramInfoLog(result)} ${logs.join(' ')}`);
  }
  return result;
}
