export { MergeEditor as default } from './editors';
