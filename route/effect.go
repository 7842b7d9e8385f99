package route

// Effect works out what is done to a request that was decided as d.
func (c *Config) Effect(d Decision, r *Request) Effect { panic(errSkeleton) }

// ResponseHeaders gives the response headers that the client gets when the
// upstream sends these.
func (c *Config) ResponseHeaders(d Decision, r *Request, upstream []Header) []Header {
	panic(errSkeleton)
}
