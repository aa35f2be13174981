"""Several optimizers behind the one `model.optimizer` that Keras knows."""

import keras


@keras.saving.register_keras_serializable("keras_gen")
class OptimizerGroup(keras.optimizers.Optimizer):
    """Hold one optimizer per network under the name of that network.

    Keras saves, restores, shards and (on JAX) carries through the compiled
    step whatever `model.optimizer.variables` lists. A group therefore lists
    the variables of all its members. It never applies gradients itself:
    `GenerativeModel.minimize` picks the member.

    Args:
        members: Dict from network name to `keras.optimizers.Optimizer`. The
            order decides where each member's state stands in a file.
        name: String, name of the group.
    """

    def __init__(self, members, name="optimizer_group"):
        super().__init__(learning_rate=0.0, name=name)
        self.members = dict(members)

    def __getitem__(self, name):
        return self.members[name]

    @property
    def optimizers(self):
        """List of the members, under the name Keras's callbacks look for."""
        return list(self.members.values())

    @property
    def variables(self):
        return [v for member in self.optimizers for v in member.variables]

    @property
    def iterations(self):
        return self.optimizers[-1].iterations

    def attach(self, variables):
        """Build each member on the variables of its network.

        Args:
            variables: Dict from network name to list of `keras.Variable`.
        """
        self._owned = {name: list(v) for name, v in variables.items()}
        for name, member in self.members.items():
            member.build(self._owned[name])
        self.built = True

    def build(self, variables):
        """Do nothing: Keras offers all variables, `attach` splits them."""

    def apply(self, grads, trainable_variables=None):
        raise RuntimeError(
            "An `OptimizerGroup` does not apply gradients; its members do. "
            "Call `model.minimize(loss_fn, name)`."
        )

    def finalize_variable_values(self, var_list):
        for name, member in self.members.items():
            member.finalize_variable_values(self._owned[name])

    # The members are saved as objects of their own.
    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass

    def get_config(self):
        return {
            "name": self.name,
            "members": {
                name: keras.saving.serialize_keras_object(member)
                for name, member in self.members.items()
            },
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["members"] = {
            name: keras.saving.deserialize_keras_object(
                member, custom_objects=custom_objects
            )
            for name, member in config["members"].items()
        }
        return cls(**config)


def make_optimizer(optimizer, networks):
    """Turn the `optimizer` argument of `compile` into one optimizer object.

    Args:
        optimizer: A Keras optimizer, its name, or a dict of either by network.
        networks: Tuple of the names of the networks that are trained apart;
            empty when the model has one optimizer.

    Returns:
        An unbuilt `keras.optimizers.Optimizer`: an `OptimizerGroup` if there
        are `networks`.
    """
    if isinstance(optimizer, OptimizerGroup):
        optimizer = optimizer.members
    if not networks:
        if isinstance(optimizer, dict):
            raise ValueError(
                "This model has one optimizer. Expected `optimizer` to be an "
                "optimizer or its name. Received a dict with the keys "
                f"{sorted(optimizer)}."
            )
        return _get(optimizer)
    if not isinstance(optimizer, dict):
        optimizer = {name: _copy(_get(optimizer), name) for name in networks}
    unknown = sorted(set(optimizer) - set(networks))
    missing = [name for name in networks if name not in optimizer]
    if unknown or missing:
        raise ValueError(
            "`optimizer` must name each network once. Expected the keys "
            f"{list(networks)}. Received: {list(optimizer)}"
            f" (unknown: {unknown}, missing: {missing})."
        )
    members = {name: _get(optimizer[name]) for name in networks}
    if len({id(member) for member in members.values()}) < len(members):
        raise ValueError(
            "Each network needs an optimizer of its own. Received the same "
            "object for several networks. Pass a single optimizer instead of "
            "a dict to use copies of it."
        )
    return OptimizerGroup(members)


def _get(optimizer):
    if optimizer is None:
        raise ValueError(
            "`optimizer` must be an optimizer, its name, or a dict of them. "
            "Received: None"
        )
    return keras.optimizers.get(optimizer)


def _copy(optimizer, name):
    if getattr(optimizer, "_exclude_from_weight_decay", None) or getattr(
        optimizer, "_exclude_from_weight_decay_pattern", None
    ):
        raise ValueError(
            "What `exclude_from_weight_decay` names cannot be copied. Pass a "
            "dict with an optimizer for each network."
        )
    return type(optimizer).from_config({**optimizer.get_config(), "name": name})
