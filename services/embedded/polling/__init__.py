"""Looks at materials and config repos in GoCD's intervals."""
