"""What posters are drawn of: inks, how they are laid on, and motifs."""

HUES = ("poppy", "amber", "lemon", "moss", "fern", "teal", "sky", "cobalt", "iris", "plum", "magenta", "rose")
TONES = ("deep", "bright", "night")
MOTIFS = ("keys", "laugh", "tiles", "contour", "loaf", "graph", "shadow", "track", "alps", "candle", "radio", "stars", "type")
