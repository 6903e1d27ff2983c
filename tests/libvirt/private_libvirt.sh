# Runs a libvirtd of the test's own, in namespaces of mounts and processes: it shares nothing with the
# machine's, may be stopped and killed, and takes its domains along at its end. $1 is an empty folder.
set -e
folder=$1
mount -t proc proc /proc
for state in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
  mkdir -p $state
  mount -t tmpfs none $state
done

. "$(dirname "$0")/without_kvm.sh"

# No virtlogd is needed then, and a domain needs no mounts of its own.
printf 'stdio_handler = "file"\nnamespaces = []\n' > $folder/qemu.conf
mount --bind $folder/qemu.conf /etc/libvirt/qemu.conf
/usr/sbin/libvirtd -p /run/libvirt/libvirtd.pid > $folder/libvirtd.out 2>&1 &
echo $!
cat # Until the test closes our input.
