export { DiffView as default } from './editors';
