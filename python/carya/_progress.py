"""``progress=``: nothing, True for a bar, or a function."""

import sys
import time


def as_callback(progress):
    """The function to be called as (stage, done, total, unit), or None."""
    if progress is None or progress is False:
        return None
    if progress is True:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return _TextBar()
        return _TqdmBar(tqdm)
    if callable(progress):
        return progress
    raise TypeError(f"progress is {progress!r}: None, True or a function of (stage, done, total, unit)")


def _duration(seconds):
    seconds = int(seconds + 0.5)
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60}:{seconds % 60:02} min"


class _TextBar:
    """A line a stage on standard error, with the time left."""

    def __init__(self, out=None):
        self.out = out or sys.stderr
        self.stage = None
        self.start = 0.0

    def __call__(self, stage, done, total, unit):
        now = time.monotonic()
        if stage != self.stage:
            if self.stage is not None:
                self.out.write("\n")
            self.stage, self.start = stage, now
        line = f"\r{stage:<22}"
        if total and done:
            left = (now - self.start) * (total - done) / done
            line += f" {100 * done / total:3.0f} %  {done} of {total} {unit}, {_duration(left)} left"
        elif done:
            line += f" {done} {unit}"
        self.out.write(f"{line:<79}")
        self.out.flush()

    def close(self):
        if self.stage is not None:
            self.out.write("\n")


class _TqdmBar:
    """A tqdm bar a stage."""

    def __init__(self, tqdm):
        self.tqdm = tqdm
        self.bar = None

    def __call__(self, stage, done, total, unit):
        if self.bar is None or self.bar.desc != stage:
            self.close()
            self.bar = self.tqdm(desc=stage, total=total or None, unit=" " + unit, unit_scale=True)
            self.bar.desc = stage  # tqdm adds a colon
        self.bar.update(done - self.bar.n)

    def close(self):
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class reporting:
    """``with reporting(progress) as callback``: closes a bar of ours at the end."""

    def __init__(self, progress):
        self.callback = as_callback(progress)

    def __enter__(self):
        return self.callback

    def __exit__(self, *exception):
        if isinstance(self.callback, (_TextBar, _TqdmBar)):
            self.callback.close()
