package route

type Field struct{ Message, Name, Case, Text string }

func Fields() []Field { return nil }
