package deploy

// Settings is meshstorm.yaml.
type Settings struct {
	Workspace string
}
