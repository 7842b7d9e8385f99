import { Component, type ReactNode } from 'react';
import { text } from '../i18n';

/** Keeps a fault of one screen from taking the whole page along. */
export class Boundary extends Component<{ children: ReactNode }, { failed: string | null }> {
  state = { failed: null };

  static getDerivedStateFromError(err: unknown) {
    return { failed: String(err) };
  }

  render() {
    if (this.state.failed === null) return this.props.children;
    return <div role="alert" className="centred"><p>{text('error.render')}</p><pre>{this.state.failed}</pre></div>;
  }
}
