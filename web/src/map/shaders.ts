// A point in a topic's frame is moved by that topic's motion, a row of a small texture. Distance
// and direction come from a z + b and conj(b) z + conj(a) apart: their quotient, the point itself,
// would lose the distance of all that is near the rim in 32 bits.
const kMove = `#version 300 es
precision highp float;
precision highp int;
uniform highp sampler2D motions;
uniform vec2 middle;
uniform vec2 radius;
uniform float reach;
layout(location = 0) in vec2 place;
layout(location = 1) in uint node;
vec2 times(vec2 a, vec2 b) { return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }
// The direction from the middle, and in z how far towards the rim, 0 to 1.
vec3 seen() {
  vec4 m = texelFetch(motions, ivec2(int(node & 1023u), int(node >> 10)), 0);
  vec2 u = times(m.xy, place) + m.zw;
  vec2 v = times(vec2(m.z, -m.w), place) + vec2(m.x, -m.y);
  float sinh_half = length(u) / sqrt(max(1.0 - dot(place, place), 1e-7));
  float half_distance = log(sinh_half + sqrt(sinh_half * sinh_half + 1.0));
  vec2 towards = times(u / max(length(u), 1e-20), vec2(v.x, -v.y) / max(length(v), 1e-20));
  return vec3(towards, tanh(min(half_distance / reach, 15.0)));
}
`;

export const kPointVertex = `${kMove}
layout(location = 2) in vec4 color;
layout(location = 3) in uint flags;  // 1: held back by a filter, 2: outlier
uniform float size;       // device pixels at the middle
uniform float opacity;
uniform float emphasis;   // 1: search hits and their like, 0: all others
uniform vec4 faded;       // the colour of what filters hold back
out vec4 tint;
out float pixels;
void main() {
  vec3 at = seen();
  bool held = (flags & 1u) != 0u;
  float far = at.z * at.z;
  pixels = mix(size, max(size * 0.4, 1.0), far) * (held ? 0.8 : 1.0);
  pixels = emphasis > 0.0 ? max(pixels * 1.5, 6.5) : pixels;
  float alpha = opacity * ((flags & 2u) != 0u ? 0.5 : 1.0);
  tint = held && emphasis == 0.0 ? faded : vec4(color.rgb, alpha);
  // What is held back lies behind what is not.
  gl_Position = vec4(middle + radius * at.z * at.xy, held ? 0.5 : 0.0, 1.0);
  gl_PointSize = pixels + 1.0;
}`;

export const kPointFragment = `#version 300 es
precision highp float;  // uniforms that both stages have must agree
uniform float emphasis;
uniform vec4 outline;
in vec4 tint;
in float pixels;
out vec4 result;
void main() {
  float from_middle = length(gl_PointCoord - 0.5) * (pixels + 1.0);
  float inside = clamp(pixels * 0.5 + 0.5 - from_middle, 0.0, 1.0);
  if (inside <= 0.0) discard;
  vec4 color = tint;
  if (emphasis > 0.0 && from_middle > pixels * 0.5 - 1.2) color = outline;
  float alpha = color.a * inside;
  result = vec4(color.rgb * alpha, alpha);
}`;

export const kEdgeVertex = `${kMove}
layout(location = 2) in float weight;
out float strength;
void main() {
  vec3 at = seen();
  strength = weight;
  gl_Position = vec4(middle + radius * at.z * at.xy, 0.9, 1.0);
}`;

export const kEdgeFragment = `#version 300 es
precision highp float;  // uniforms that both stages have must agree
uniform vec4 color;
in float strength;
out vec4 result;
void main() {
  float alpha = color.a * strength;
  result = vec4(color.rgb * alpha, alpha);
}`;
