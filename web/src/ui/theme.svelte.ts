// Light or dark as the system has it, until someone chooses.
const kKey = 'carya-theme';
const system = typeof matchMedia === 'undefined' ? null : matchMedia('(prefers-color-scheme: dark)');

class Theme {
  private chosen = $state<string | null>(stored());
  private systemIsDark = $state(system?.matches ?? false);

  constructor() {
    system?.addEventListener('change', (event) => (this.systemIsDark = event.matches));
  }
  get isDark(): boolean {
    return this.chosen === null ? this.systemIsDark : this.chosen === 'dark';
  }
  toggle(): void {
    this.chosen = this.isDark ? 'light' : 'dark';
    try {
      localStorage.setItem(kKey, this.chosen);
    } catch {
      // A page from a file may have no storage: the choice lasts as long as the page.
    }
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(kKey);
  } catch {
    return null;
  }
}

export const theme = new Theme();
