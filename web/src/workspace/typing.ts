/** Files that somebody types in and whose new text has not reached the store yet: nobody else's change may replace it meanwhile. */
export const typing = new Set<string>();
