import { describe, expect, it } from 'vitest';
import { compose, motionTo, origin, rotation } from '../geometry/motion';
import { fromQuery, kNowhere, toQuery, type Place } from './place';

describe('the address', () => {
  it('of the beginning is empty', () => {
    expect(toQuery(kNowhere)).toBe('');
    expect(fromQuery('')).toEqual(kNowhere);
  });
  it('holds all there is to a place', () => {
    const place: Place = {
      atlas: 'my atlas', node: 7, compare: 9, item: 0, query: 'c++ & "more" ~ %', mode: 'lexical', scope: 3,
      color: 'column:a=b&c', view: null,
      filters: new Map([
        ['size', { kind: 'range', from: -1.5e-7, to: 1e21 }],
        ['a.b=c', { kind: 'values', values: ['=x', null, "it's", '~', '1..2'] }],
      ]),
    };
    expect(fromQuery(toQuery(place))).toEqual(place);
  });
  it('holds the view', () => {
    const motion = compose(motionTo({ angle: 1, distance: 0.7 }), rotation(2));
    const { view } = fromQuery(toQuery({ ...kNowhere, view: { anchor: 12, motion, reach: 1.5 } }));
    expect(view!.anchor).toBe(12);
    expect(view!.reach).toBe(1.5);
    expect(origin(view!.motion).distance).toBeCloseTo(0.7, 3);
    for (let i = 0; i < 4; ++i) expect(Math.abs(view!.motion[i])).toBeCloseTo(Math.abs(motion[i]), 3);
  });
  it('may hold nonsense', () => {
    expect(fromQuery('?node=-1&item=1e9&mode=magic&color=red&f.x=1..x&f.y=&at=1,2,3&in=999999999999'))
      .toEqual(kNowhere);
  });
});
