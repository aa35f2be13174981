import tensorflow as tf

from tests.benchmarks.by_hand import mean_logs


def _epoch(step, batches):
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=tf.TensorSpec((None, 28, 28, 1), tf.float32),
    ).prefetch(tf.data.AUTOTUNE)
    return mean_logs([step(x) for x in data])


def vae(model):
    encoder, decoder, optimizer = model.encoder, model.decoder, model.optimizer
    variables = encoder.trainable_variables + decoder.trainable_variables

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            mean, log_var = encoder(x, training=True)
            eps = tf.random.normal(tf.shape(mean))
            logits = decoder(mean + tf.exp(0.5 * log_var) * eps, training=True)
            nll = tf.nn.softplus(logits) - (x + 1) / 2 * logits
            nll = tf.reduce_mean(tf.reduce_sum(nll, [1, 2, 3]))
            kl = 0.5 * (mean**2 + tf.exp(log_var) - 1 - log_var)
            kl = tf.reduce_mean(tf.reduce_sum(kl, -1))
            loss = nll + kl
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss, nll, kl

    return lambda batches: _epoch(step, batches)


def gan(model):
    generator, discriminator = model.generator, model.discriminator
    d_optimizer = model.optimizer["discriminator"]
    g_optimizer = model.optimizer["generator"]
    average = model.averaged.averages["generator"]
    d_vars = discriminator.trainable_variables
    g_vars = generator.trainable_variables

    @tf.function
    def step(x):
        n = tf.shape(x)[0]
        with tf.GradientTape() as outer:
            fake = generator(tf.random.normal((n, 64)), training=True)
            with tf.GradientTape() as tape:
                real_logits = discriminator(x, training=True)
                fake_logits = discriminator(
                    tf.stop_gradient(fake), training=True
                )
                d_loss = tf.reduce_mean(
                    tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits)
                )
            d_optimizer.apply(tape.gradient(d_loss, d_vars), d_vars)
            g_loss = tf.reduce_mean(
                tf.nn.softplus(-discriminator(fake, training=True))
            )
        g_optimizer.apply(outer.gradient(g_loss, g_vars), g_vars)
        for m, w in zip(average.weights, generator.weights, strict=True):
            m.assign(0.995 * m + 0.005 * w if w.trainable else w)
        return d_loss, g_loss

    return lambda batches: _epoch(step, batches)
