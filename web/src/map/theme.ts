import type { Rgb } from '../color/palette';

export interface MapTheme {
  dark: boolean;
  ground: string; // of the disk
  rim: string;
  text: string;
  quiet: string; // text of less weight
  halo: string;
  accent: string;
  regionAlpha: number;
  faded: readonly number[];
  outline: readonly number[];
  edge: readonly number[];
  background: Rgb;
}

export const kLightMap: MapTheme = {
  dark: false, ground: '#fdfcf9', rim: '#dcd8cd', text: '#22282a', quiet: '#5d6668', halo: 'rgb(253 252 249 / 0.9)',
  accent: '#0b6e5f', regionAlpha: 0.1, faded: [0.6, 0.6, 0.6, 0.13], outline: [0.08, 0.1, 0.1, 1],
  edge: [0.25, 0.27, 0.27, 0.2], background: [253, 252, 249],
};
export const kDarkMap: MapTheme = {
  dark: true, ground: '#14191b', rim: '#2c3437', text: '#eef1ef', quiet: '#a3adaf', halo: 'rgb(15 19 21 / 0.85)',
  accent: '#4fd0b5', regionAlpha: 0.12, faded: [0.55, 0.58, 0.6, 0.12], outline: [1, 1, 1, 1],
  edge: [0.8, 0.85, 0.85, 0.16], background: [20, 25, 27],
};
