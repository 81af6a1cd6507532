//! What both sides decided, of the exchanges that were compared.

use prometheus_client::registry::Registry;

use crate::exchange::{Cell, Undetermined};

use super::{Count, Decided, named, outcomes, reasons};

pub(super) struct Decisions {
    cells: [Count; Cell::ALL.len()],
    undetermined: [Count; Undetermined::ALL.len()],
}

impl Decisions {
    pub(super) fn new(r: &mut Registry) -> Decisions {
        Decisions {
            cells: outcomes(
                r,
                "decisions",
                "Compared exchanges by legacy's and the candidate's decision",
                Cell::ALL.map(Cell::name),
            ),
            undetermined: reasons(
                r,
                "undetermined",
                "Compared exchanges whose decisions differ as order or time could make them, by reason; none of `decisions`",
                Undetermined::ALL.map(Undetermined::name),
            ),
        }
    }

    pub(super) fn add(&self, cell: Cell, undetermined: Option<Undetermined>) {
        match undetermined {
            Some(why) => self.undetermined[why as usize].inc(),
            None => self.cells[cell as usize].inc(),
        };
    }

    pub(super) fn of(&self, cell: Cell) -> u64 {
        self.cells[cell as usize].get()
    }

    pub(super) fn snapshot(&self) -> Decided {
        Decided {
            cells: named(&Cell::ALL.map(Cell::name), &self.cells),
            undetermined: named(&Undetermined::ALL.map(Undetermined::name), &self.undetermined),
        }
    }
}
