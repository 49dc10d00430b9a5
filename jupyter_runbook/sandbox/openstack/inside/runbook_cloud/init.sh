#!/bin/bash
# The first process of a server: what a virtual machine's firmware, init and cloud-init do.
trap 'exit 0' TERM INT
inside=/var/lib/runbook
again() {
    kill -TERM -1
    sleep 0.5
    kill -KILL -1
    exec /bin/bash $inside/init.sh
}
trap again HUP
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd / || exit 1

# What cloud-init would note of itself: people wait for it with cloud-init status --wait.
note() {
    mkdir -p /run/cloud-init
    printf '{"v1": {"datasource": "NoCloud", "stage": %s, "modules-final": {"errors": [%s], "start": %s, "finished": %s}}}' \
        "$1" "$2" "$(date +%s)" "$3" >/run/cloud-init/status.json
    [ "$3" = null ] || printf '{"v1": {"datasource": "NoCloud", "errors": [%s]}}' "$2" >/run/cloud-init/result.json
}

# The network comes from outside: a name on the loopback link tells that it is whole.
for _ in $(seq 600); do
    [ "$(cat /sys/class/net/lo/ifalias 2>/dev/null)" = wired ] && break
    sleep 0.05
done

# An engine in here wants its control groups and the kernel's settings to be written to.
for mount in /sys /sys/fs/cgroup /sys/fs/cgroup/*/; do
    mountpoint -q "$mount" && mount -o remount,bind,rw "$mount"
done 2>/dev/null
# Of each start: what waits for a reboot compares it.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
rm -rf /run/*.pid /run/docker.sock /run/docker /run/containerd
mkdir -p /run/sshd
grep -q "127.0.1.1" /etc/hosts || echo "127.0.1.1 $(hostname)" >>/etc/hosts

first=
if [ "$(cat $inside/booted 2>/dev/null)" != "$(cat $inside/instance-id)" ]; then
    first=1
    echo "runbook: first boot of $(hostname), $(cat $inside/instance-id)"
    id debian >/dev/null 2>&1 || useradd --create-home --shell /bin/bash debian
    for group in docker sudo disk adm; do
        getent group $group >/dev/null && usermod --append --groups $group debian
    done
    echo 'debian ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-cloud-init-users
    chmod 440 /etc/sudoers.d/90-cloud-init-users
    for user in root debian; do
        home=$(getent passwd $user | cut -d: -f6)
        install -d -m 700 -o $user -g $user "$home/.ssh"
        install -m 600 -o $user -g $user $inside/authorized_keys "$home/.ssh/authorized_keys"
    done
    for command in poweroff halt reboot shutdown; do
        [ -e /usr/sbin/$command ] || ln -s $inside/power.sh /usr/sbin/$command
    done
    # The service's script raises limits, which takes a capability that a server may lack.
    sed -i 's/\bulimit -/true -/' /etc/init.d/docker 2>/dev/null
    rm -f /etc/ssh/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    # As cloud-init prints them: who reads the console log knows the server before the first connection.
    echo '-----BEGIN SSH HOST KEY FINGERPRINTS-----'
    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
    echo '-----END SSH HOST KEY FINGERPRINTS-----'
    echo '-----BEGIN SSH HOST KEY KEYS-----'
    cat /etc/ssh/ssh_host_ed25519_key.pub
    echo '-----END SSH HOST KEY KEYS-----'
fi
/usr/sbin/sshd -e
if [ $first ]; then
    cp $inside/instance-id $inside/booted
    if [ "$(head -c 2 $inside/user-data)" = '#!' ]; then
        chmod 700 $inside/user-data
        # In a session of its own: a service that it starts outlives it.
        note '"modules-final"' "" null
        (
            setsid $inside/user-data </dev/null 2>&1 | tee /var/log/cloud-init-output.log
            ended=${PIPESTATUS[0]}
            [ "$ended" = 0 ] && error="" || error="\"user_data ended with $ended\""
            note null "$error" "$(date +%s)"
            echo "runbook: user_data ended with $ended"
        ) &
    elif [ -s $inside/user-data ]; then
        # cloud-config and all the other forms: cloud-init's own business. It takes some seconds, so others go without.
        seed=/var/lib/cloud/seed/nocloud
        rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/sem
        mkdir -p $seed
        cp $inside/user-data $seed/user-data
        printf 'instance-id: %s\nlocal-hostname: %s\n' "$(cat $inside/instance-id)" "$(hostname)" >$seed/meta-data
        cat >/etc/cloud/cloud.cfg.d/99-runbook.cfg <<'CONFIG'
datasource_list: [NoCloud]
network: {config: disabled}
ssh_deletekeys: false
ssh_genkeytypes: []
manage_etc_hosts: false
locale: false
CONFIG
        (
            {
                setsid cloud-init init --local
                setsid cloud-init init
                setsid cloud-init modules --mode=config
                setsid cloud-init modules --mode=final
            } </dev/null 2>&1 | tee /var/log/cloud-init-output.log
            echo "runbook: user_data ended"
        ) &
    else
        note null "" "$(date +%s)"
    fi
fi
echo "runbook: up"
while :; do
    sleep 86400 &
    wait $!
done
