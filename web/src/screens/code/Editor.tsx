export { Editor as default } from './editors';
