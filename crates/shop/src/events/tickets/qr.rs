//! A ticket's code as a picture for the door's camera.

use fast_qr::{ECL, QRBuilder};

use super::code::Code;
use crate::platform::paper::layout::Block;

/// Light modules around the picture, which readers need.
pub(super) const QUIET: usize = 4;

/// Dark runs of modules, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Qr {
    /// Modules of a side, without the light ones around.
    size: usize,
    /// Row, column of the first module, modules.
    runs: Vec<(usize, usize, usize)>,
}

impl Qr {
    /// # Panics
    /// Never: a code is far shorter than what a picture holds.
    pub(super) fn of(code: &Code) -> Self {
        let made = QRBuilder::new(code.compact()).ecl(ECL::M).build();
        let made = made.expect("thirty characters fit into a picture");
        let mut runs = Vec::new();
        for row in 0..made.size {
            let mut from = None;
            for column in 0..=made.size {
                let dark = column < made.size && made[row][column].value();
                match (dark, from) {
                    (true, None) => from = Some(column),
                    (false, Some(first)) => {
                        runs.push((row, first, column - first));
                        from = None;
                    }
                    _ => {}
                }
            }
        }
        Self { size: made.size, runs }
    }

    /// Modules of a side, with those around.
    pub(super) fn side(&self) -> usize {
        self.size + 2 * QUIET
    }

    /// The `d` of a path of dark modules, in a square of [`Qr::side`].
    pub(super) fn path(&self) -> String {
        let run = |(row, column, modules): &(usize, usize, usize)| {
            format!("M{} {}h{modules}v1h-{modules}z", column + QUIET, row + QUIET)
        };
        self.runs.iter().map(run).collect()
    }

    /// The dark modules on paper, in a square of `side` points with its light edge.
    pub(super) fn blocks(&self, (x, y): (f32, f32), side: f32) -> Vec<Block> {
        let module = side / self.side() as f32;
        let place = |count: usize| module * (count + QUIET) as f32;
        let run = |(row, column, modules): &(usize, usize, usize)| Block {
            x: x + place(*column),
            y: y + place(*row),
            width: module * *modules as f32,
            // A hair more: no light lines between rows when it is printed.
            height: module * 1.02,
        };
        self.runs.iter().map(run).collect()
    }
}
