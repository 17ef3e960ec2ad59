// Colours that the colour-blind tell apart, for light and dark grounds.
export type Rgb = readonly [number, number, number];

const hex = (text: string): Rgb => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)) as unknown as Rgb;

// Okabe and Ito (2008) without black; yellow, too faint on white, gives way to ochre; two more.
const kLight = ['#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9', '#8c6d31', '#5d4fa2'].map(hex);
const kDark = ['#4ba3e3', '#f0b64d', '#2fc79a', '#f07f3c', '#e39ac3', '#8fd0f5', '#c4a25f', '#9c8fe0'].map(hex);
export function categories(dark: boolean): readonly Rgb[] {
  return dark ? kDark : kLight;
}
export function grey(dark: boolean): Rgb {
  return dark ? [120, 126, 130] : [160, 164, 168];
}

// Cividis (Nunez et al. 2018): even in lightness and the same to the colour-blind.
const kCividis = ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173', '#8a8678', '#a59c74', '#c3b369',
  '#e1cc55', '#fee838'].map(hex);
// On a dark ground the dark end would vanish, on a light one the light end.
export function sequential(share: number, dark: boolean): Rgb {
  const at = (dark ? 0.18 + 0.82 * share : 0.92 * share) * (kCividis.length - 1);
  const below = Math.min(Math.floor(at), kCividis.length - 2);
  return mix(kCividis[below], kCividis[below + 1], at - below);
}

export function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return [0, 1, 2].map((i) => Math.round(a[i] + (b[i] - a[i]) * share)) as unknown as Rgb;
}
export function css([r, g, b]: Rgb, alpha = 1): string {
  return alpha === 1 ? `rgb(${r} ${g} ${b})` : `rgb(${r} ${g} ${b} / ${alpha})`;
}
