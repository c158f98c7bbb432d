//! Progress bars. They are drawn on standard error, if that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for a download. Its length is set later.
pub fn bytes() -> ProgressBar {
    let bar = ProgressBar::new(0);
    bar.set_style(style("{msg:40!} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left"));
    bar
}

/// A bar for the documents of a cell.
pub fn documents(cell: &str, total: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_position(done as u64);
    // Rate and time left are those of this session: documents of earlier ones do not count.
    bar.reset_eta();
    bar.set_style(style("{msg:50!} [{bar:20}] {pos}/{len} documents, {per_sec}, {eta} left"));
    bar.set_message(cell.to_string());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// A bar for the steps of a training.
pub fn steps(total: usize, made: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_position(made as u64);
    bar.reset_eta();
    bar.set_style(style("[{bar:24}] {pos}/{len} steps, {msg}, {eta} left"));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// A spinner for work of unknown length.
pub fn waiting(message: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_message(message.to_string());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
