//! Where variables live.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::value::Value;

/// The variables of a block, within those of the block around it.
#[derive(Default)]
pub struct Scope {
    variables: RefCell<Vec<(Arc<str>, Value)>>,
    parent: Option<Rc<Scope>>,
}

impl Scope {
    pub fn within(parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { variables: RefCell::default(), parent: Some(parent.clone()) })
    }

    pub fn get(&self, name: &Arc<str>) -> Option<Value> {
        let mut scope = self;
        loop {
            let variables = scope.variables.borrow();
            let found = variables.iter().find(|(found, _)| Arc::ptr_eq(found, name) || **found == **name);
            if let Some((_, value)) = found {
                return Some(value.clone());
            }
            scope = scope.parent.as_deref()?;
        }
    }

    pub fn set(&self, name: &Arc<str>, value: Value) {
        let mut variables = self.variables.borrow_mut();
        // The old value is dropped when the borrow is over: dropping it may look at this scope.
        let old = match variables.iter_mut().find(|(found, _)| **found == **name) {
            Some((_, slot)) => Some(std::mem::replace(slot, value)),
            None => {
                variables.push((name.clone(), value));
                None
            }
        };
        drop(variables);
        drop(old);
    }

    /// Forgets everything, so that macros and the scope they were defined in do not keep each other alive.
    pub fn clear(&self) {
        let variables = self.variables.take();
        drop(variables);
    }

    /// The number of variables in this scope alone.
    pub fn len(&self) -> usize {
        self.variables.borrow().len()
    }
}
