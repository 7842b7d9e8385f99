package installation

// Manager is the field manager of what install applies.
const Manager = "meshstorm-istio"

// Meshstorm is who made an installation that Install made.
const Meshstorm = "meshstorm"
