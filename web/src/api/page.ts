import type { Api } from './api';
export function findExport(_document: Document): null | Record<string, never> { return null; }
export class PageApi { constructor(_e: Record<string, never>) {} }
export interface PageApi extends Api {}
