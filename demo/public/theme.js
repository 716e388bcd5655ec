// The user's choice of colours, before the first paint; without one the system decides.
try {
  const theme = localStorage.getItem('theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden here: the system's colours it is.
}
