export { DestinationRulePanel } from './DestinationRulePanel';
export { GatewayPanel } from './GatewayPanel';
export { RulesPanel } from './RulesPanel';
